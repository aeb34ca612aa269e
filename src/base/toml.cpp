// SPDX-License-Identifier: Apache-2.0
#include "barlow/base/toml.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <nlohmann/json.hpp>
#include <set>
#include <string_view>

#include "barlow/base/error.hpp"
#include "barlow/base/number.hpp"

namespace barlow {
namespace {

constexpr std::string_view kBlanks = " \t";

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_bare(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || is_digit(c) || c == '-' || c == '_'; }

/// What is left of a line, read from its beginning.
class Line {
 public:
  Line(std::string_view text, std::string place) : left_(text), place_(std::move(place)) { skip_blanks(); }

  bool is_at_end() const { return left_.empty() || left_.front() == '#'; }

  TomlEntry read_entry() {
    if (left_.front() == '[') refuse("a table; keys stand without one");
    const bool is_quoted = left_.front() == '"' || left_.front() == '\'';
    TomlEntry entry{is_quoted ? read_string() : read_while(is_bare), {}, place_};
    skip_blanks();
    if (entry.key.empty() || left_.empty() || left_.front() != '=') refuse("no key and = at the beginning");
    left_.remove_prefix(1);
    skip_blanks();
    entry.value = read_value(entry.key);
    skip_blanks();
    if (!is_at_end()) refuse("\"" + std::string(left_) + "\" stands behind the value of " + entry.key);
    return entry;
  }

  [[noreturn]] void refuse(const std::string& what) const {
    throw ConfigError(place_ + ": " + what + "; a line is key = value, and text stands in quotes");
  }

 private:
  void skip_blanks() { left_.remove_prefix(std::min(left_.find_first_not_of(kBlanks), left_.size())); }

  template <class Wanted>
  std::string read_while(Wanted wanted) {
    const auto end = std::find_if_not(left_.begin(), left_.end(), wanted);
    const std::string read(left_.begin(), end);
    left_.remove_prefix(read.size());
    return read;
  }

  decltype(TomlEntry::value) read_value(const std::string& key) {
    if (is_at_end()) refuse(key + " has no value");
    const char first = left_.front();
    if (first == '[') refuse(key + " expects one value, got an array");
    if (first == '{') refuse(key + " expects one value, got a table");
    if (first == '"' || first == '\'') return read_string();
    const std::string word = read_while([](char c) { return c != '#' && kBlanks.find(c) == std::string_view::npos; });
    if (word == "true" || word == "false") return word == "true";
    return read_number(key, word);
  }

  decltype(TomlEntry::value) read_number(const std::string& key, const std::string& word) const {
    if (word == "nan" || word == "+nan" || word == "-nan") return std::numeric_limits<double>::quiet_NaN();
    std::string digits = word;
    if (digits.front() == '+') digits.erase(0, 1);
    std::erase(digits, '_');
    const auto begin = digits.begin() + (digits.starts_with('-') ? 1 : 0);
    const bool is_whole = begin != digits.end() && std::all_of(begin, digits.end(), is_digit);
    if (is_whole && *begin == '0' && digits.end() - begin > 1) refuse(key + " is " + word + ", with zeros before it");
    if (is_whole) {
      if (const auto number = parse_number<std::int64_t>(digits)) return *number;
    } else if (const auto number = parse_number<double>(digits)) {
      return *number;
    }
    refuse(key + " is " + word + ", which is no number that fits, and not true or false");
  }

  /// "with escapes", as JSON has them, or 'without'.
  std::string read_string() {
    const char quote = left_.front();
    std::size_t end = 1;
    while (end < left_.size() && left_[end] != quote) end += quote == '"' && left_[end] == '\\' ? 2 : 1;
    if (end >= left_.size()) refuse("a quote that is not closed on its line");
    std::string quoted = "\"";
    for (const char c : left_.substr(1, end - 1)) {
      if (quote == '\'' && (c == '"' || c == '\\')) quoted += '\\';
      quoted += c == '\t' ? "\\t" : std::string(1, c);  // TOML lets a tab stand, and JSON does not
    }
    const auto json = nlohmann::json::parse(quoted + '"', nullptr, false);
    if (!json.is_string()) refuse("an escape that TOML does not have, or text that is no UTF-8");
    left_.remove_prefix(end + 1);
    return json.get<std::string>();
  }

  std::string_view left_;
  std::string place_;
};

}  // namespace

std::vector<TomlEntry> read_toml(const std::string& text, const std::string& file) {
  std::vector<TomlEntry> entries;
  std::set<std::string> keys;
  std::string_view left = text;
  if (left.starts_with("\xef\xbb\xbf")) left.remove_prefix(3);
  for (int number = 1; !left.empty(); ++number) {
    const std::size_t end = std::min(left.find('\n'), left.size());
    std::string_view content = left.substr(0, end);
    if (content.ends_with('\r')) content.remove_suffix(1);
    Line line(content, fmt::format("{}:{}", file, number));
    if (!line.is_at_end()) {
      entries.push_back(line.read_entry());
      if (!keys.insert(entries.back().key).second) line.refuse(entries.back().key + " stands twice");
    }
    left.remove_prefix(std::min(end + 1, left.size()));
  }
  return entries;
}

std::string to_toml_string(const std::string& text) {
  std::string quoted = "\"";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      quoted += {'\\', c};
    } else if (byte < 0x20 || byte == 0x7f) {
      quoted += fmt::format("\\u{:04x}", byte);
    } else {
      quoted += c;
    }
  }
  return quoted + '"';
}

}  // namespace barlow
