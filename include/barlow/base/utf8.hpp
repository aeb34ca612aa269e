// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string_view>

namespace barlow {

/// RFC 3629: no form longer than needed, no surrogates, nothing beyond Unicode.
bool is_utf8(std::string_view text);

}  // namespace barlow
