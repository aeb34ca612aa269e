// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace barlow::report {

/// Text as HTML shows it literally, in elements and in quoted attributes.
std::string escape(std::string_view text);

/// For people, about four digits: `12,345`, `167.2`, `0.0384`, `1.2e-06`; a dash when it is not a number.
std::string to_number(double value);
/// Short, for ticks: `0`, `250`, `1.5k`, `2M`, `0.02`.
std::string to_tick(double value);

/// `data:image/png;base64,...` of 8-bit pixels [height, width, channels], 3 (RGB) or 4 (RGB and opacity).
std::string png_url(std::span<const std::uint8_t> pixels, std::int64_t width, std::int64_t height, int channels);

}  // namespace barlow::report
