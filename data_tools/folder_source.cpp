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

/// A link to a folder that it lies in would be followed for ever.
void require_no_loop(const fs::path& link) {
  for (fs::path above = link.parent_path(); !above.empty(); above = above.parent_path()) {
    if (fs::equivalent(link, above))
      throw DataError("\"" + link.string() + "\": a link to a folder that it lies in; remove it");
    if (above == above.parent_path()) return;
  }
}

void find_images(const fs::path& folder, std::vector<fs::path>& images, LeftOut& others) {
  for (const auto& entry : fs::directory_iterator(folder)) {
    const fs::path& path = entry.path();
    if (is_hidden(path)) continue;
    if (entry.is_directory()) {
      if (entry.is_symlink()) require_no_loop(path);
      find_images(path, images, others);
    } else {
      is_image_name(path) ? images.push_back(path) : others.add(path.string());
    }
  }
}

/// The images of a folder and of the folders in it, by folder, then by name, as torchvision has them (os.walk, sorted):
/// z.jpg before sub/a.jpg. Hidden files and folders belong to other programs; other files are counted in `others`.
std::vector<fs::path> list_images(const fs::path& folder, LeftOut& others) {
  std::vector<fs::path> images;
  find_images(folder, images, others);
  std::sort(images.begin(), images.end(), [](const fs::path& a, const fs::path& b) {
    const int folders = a.parent_path().native().compare(b.parent_path().native());
    return folders != 0 ? folders < 0 : a.filename().native() < b.filename().native();
  });
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
  LeftOut beside("beside the class folders"), others("not .jpg, .jpeg or .png");
  for (const auto& entry : fs::directory_iterator(root)) {
    if (is_hidden(entry.path())) continue;
    entry.is_directory() ? classes.push_back(entry.path()) : beside.add(entry.path().string());
  }
  std::sort(classes.begin(), classes.end());
  Source source;
  if (classes.empty()) {  // images side by side: a set without labels, enough for pre-training
    add_images(source, root, list_images(root, others), -1);
    others.report(warnings);
    return source;
  }
  for (const fs::path& folder : classes) {
    const auto images = list_images(folder, others);
    if (images.empty()) {
      const std::string what = "class folder \"" + folder.string() + "\" holds no .jpg, .jpeg or .png file";
      if (!options.skip_empty_classes) throw DataError(what + "; remove it, or leave it out with --on-error skip");
      warnings.push_back(what + ": left out");
      continue;
    }
    add_images(source, root, images, static_cast<std::int32_t>(source.class_names.size()));
    source.class_names.push_back(folder.filename().string());
  }
  beside.report(warnings);
  others.report(warnings);
  return source;
}

}  // namespace barlow::data_tools
