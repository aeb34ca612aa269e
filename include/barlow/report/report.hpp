// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>

namespace barlow::report {

/// Draws a run folder, finished or not, as one HTML file that needs nothing else: summary, loss terms with their noise
/// floor, rates, throughput, evaluations, cross-correlation, example views, configuration. What the run does not have
/// yet is named in a plain line. Replaces `output` in one rename.
/// @throws DataError if `run` is not a run folder; ConfigError if `output` is no place to write; StorageError if that
/// fails.
void write_report(const std::filesystem::path& run, const std::filesystem::path& output);

}  // namespace barlow::report
