// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cctype>

#include "barlow/base/error.hpp"
#include "source.hpp"

namespace barlow::data_tools {
namespace fs = std::filesystem;
namespace {

bool is_hidden(const fs::path& path) { return path.filename().string().starts_with('.'); }

bool is_image_name(const fs::path& path) {
  std::string extension = path.extension().string();
  std::transform(extension.begin(), extension.end(), extension.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return extension == ".jpg" || extension == ".jpeg" || extension == ".png";
}

std::vector<fs::path> list_images(const fs::path& folder) {
  std::vector<fs::path> images;
  for (const auto& entry : fs::recursive_directory_iterator(folder, fs::directory_options::follow_directory_symlink)) {
    if (!entry.is_directory() && !is_hidden(entry.path()) && is_image_name(entry.path()))
      images.push_back(entry.path());
  }
  std::sort(images.begin(), images.end());
  return images;
}

void add_images(Source& source, const fs::path& root, const std::vector<fs::path>& images, std::int32_t label) {
  for (const fs::path& image : images) {
    Item item;
    item.file = static_cast<std::int32_t>(source.files.size());
    item.label = label;
    item.name = image.lexically_relative(root).string();
    source.files.emplace_back(image, false);
    source.items.push_back(std::move(item));
  }
}

}  // namespace

Source open_folder(const SourceOptions& options, std::vector<std::string>& warnings) {
  if (options.paths.size() != 1)
    throw ConfigError("format folder takes one SOURCE: a folder of class folders; give it their parent");
  const fs::path& root = options.paths.front();
  if (!fs::is_directory(root)) throw DataError("\"" + root.string() + "\": not a folder");
  std::vector<fs::path> classes;
  for (const auto& entry : fs::directory_iterator(root)) {
    if (entry.is_directory() && !is_hidden(entry.path())) classes.push_back(entry.path());
  }
  std::sort(classes.begin(), classes.end());
  Source source;
  if (classes.empty()) {  // images side by side: a set without labels, enough for pre-training
    add_images(source, root, list_images(root), -1);
    return source;
  }
  for (const fs::path& folder : classes) {
    const auto images = list_images(folder);
    if (images.empty()) {
      const std::string what = "class folder \"" + folder.string() + "\" holds no .jpg, .jpeg or .png file";
      if (!options.skip_empty_classes) throw DataError(what + "; remove it, or leave it out with --on-error skip");
      warnings.push_back(what + ": left out");
      continue;
    }
    add_images(source, root, images, static_cast<std::int32_t>(source.class_names.size()));
    source.class_names.push_back(folder.filename().string());
  }
  return source;
}

}  // namespace barlow::data_tools
