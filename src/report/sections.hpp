// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "run_folder.hpp"

/// The parts of the page, each a piece of HTML. A part whose data is not there is a plain line that says so.
namespace barlow::report {

std::string header_section(const RunFolder& run);
std::string summary_section(const RunFolder& run);
std::string training_section(const RunFolder& run);
std::string evaluation_section(const RunFolder& run);
std::string correlation_section(const RunFolder& run);
std::string views_section(const RunFolder& run);
std::string configuration_section(const RunFolder& run);

}  // namespace barlow::report
