// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string_view>

/// Messages for people, on standard error. Results go to standard output and are not logged.
namespace barlow::log {

enum class Level { kQuiet, kNormal, kVerbose };

/// Sets what is shown; `speaks` is false on ranks that stay silent except for errors and lone warnings.
void configure(Level level, bool speaks);

void debug(std::string_view message);
void info(std::string_view message);
void warning(std::string_view message);
/// A warning about what one rank alone knows: ranks that stay silent show it, too.
void lone_warning(std::string_view message);
void error(std::string_view message);

/// One live line at the bottom of a terminal, replaced by the next call; nothing where standard error is not one.
/// An empty text clears it.
void status_line(std::string_view text);

/// True when standard error is a terminal and this rank speaks.
bool is_terminal();

}  // namespace barlow::log
