// SPDX-License-Identifier: Apache-2.0
#include "barlow/report/report.hpp"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <cerrno>
#include <cmath>
#include <cstring>
#include <ctime>
#include <fstream>

#include "assets.hpp"
#include "barlow/base/error.hpp"
#include "barlow/base/files.hpp"
#include "markup.hpp"
#include "sections.hpp"

namespace barlow::report {
namespace {

namespace fs = std::filesystem;

std::string name_of(const fs::path& run) {
  std::error_code ignored;
  const fs::path path = fs::weakly_canonical(run, ignored);
  const fs::path& last = path.filename().empty() ? path.parent_path() : path;
  return last.filename().string();
}

/// `ResNet-18 · 28 px · projector 1024-1024-1024 · batch 256 · bf16`, as far as the configuration tells.
std::string model_line(const RunFolder& run) {
  std::string line;
  const auto add = [&](const std::string& key, const std::string& before, const std::string& after) {
    if (const std::string value = run.setting(key); !value.empty())
      line += (line.empty() ? "" : " · ") + before + escape(value) + after;
  };
  add("architecture", "", "");
  add("image-size", "", " px");
  add("projector", "projector ", "");
  add("batch-size", "batch ", "");
  add("precision", "precision ", "");
  return line;
}

std::string state_of(const RunFolder& run) {
  const double time = run.metrics.empty() ? std::nan("") : run.metrics.last("time");
  const std::string when =
      std::isfinite(time) ? fmt::format("{:%Y-%m-%d %H:%M} UTC", fmt::gmtime(static_cast<std::time_t>(time))) : "";
  if (run.is_finished) return "finished" + (when.empty() ? "" : " " + when);
  return "not finished" + (when.empty() ? "" : ", last step logged " + when);
}

std::string page(const RunFolder& run) {
  const std::string title = escape(name_of(run.path));
  std::string body = header_section(run) + summary_section(run);
  for (const std::string& complaint : run.complaints) body += "<p class=\"missing\">" + escape(complaint) + "</p>\n";
  body += training_section(run) + evaluation_section(run) + correlation_section(run) + views_section(run) +
          configuration_section(run);
  return fmt::format(
      "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<meta name=\"viewport\" "
      "content=\"width=device-width, initial-scale=1\">\n<meta name=\"color-scheme\" content=\"light dark\">\n"
      "<title>{} – Barlow "
      "Twins</title>\n<style>\n{}</style>\n</head>\n<body>\n<main>\n{}</main>\n<script>\n{}</script>\n"
      "</body>\n</html>\n",
      title, kPageCss, body, kPageJs);
}

}  // namespace

std::string header_section(const RunFolder& run) {
  return fmt::format(
      "<header><p class=\"kind\">Barlow Twins pre-training</p><h1>{}</h1><p>{}</p><p class=\"state "
      "{}\">{}</p></header>\n",
      escape(name_of(run.path)), model_line(run), run.is_finished ? "done" : "open", state_of(run));
}

void write_report(const fs::path& run, const fs::path& output) {
  const std::string text = page(read_run(run));
  require_writable("--output", output);
  const fs::path temporary = output.string() + ".tmp";
  std::ofstream file(temporary, std::ios::binary | std::ios::trunc);
  file << text;
  file.close();
  if (!file || std::rename(temporary.c_str(), output.c_str()) != 0) {
    const int code = errno;
    std::error_code ignored;
    fs::remove(temporary, ignored);
    throw StorageError("cannot write \"" + output.string() + "\": " + std::strerror(code));
  }
}

}  // namespace barlow::report
