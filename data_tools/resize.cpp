// SPDX-License-Identifier: Apache-2.0
#include "resize.hpp"

#include <algorithm>
#include <cmath>
#include <vector>

namespace barlow::data_tools {
namespace {

/// The weights of one output position: `weights` apply to inputs first, first + 1, ...
struct Taps {
  int first = 0;
  std::vector<float> weights;
};

double bicubic(double x) {
  constexpr double a = -0.5;
  x = std::abs(x);
  if (x < 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
  if (x < 2) return (((x - 5) * x + 8) * x - 4) * a;
  return 0;
}

std::vector<Taps> make_taps(int input, int output) {
  const double scale = static_cast<double>(input) / output, width = 2 * scale;
  std::vector<Taps> taps(static_cast<std::size_t>(output));
  for (int o = 0; o < output; ++o) {
    Taps& tap = taps[static_cast<std::size_t>(o)];
    const double center = (o + 0.5) * scale;
    tap.first = std::max(0, static_cast<int>(center - width + 0.5));
    const int last = std::min(input, static_cast<int>(center + width + 0.5));
    double sum = 0;
    for (int i = tap.first; i < last; ++i) sum += bicubic((i + 0.5 - center) / scale);
    for (int i = tap.first; i < last; ++i)
      tap.weights.push_back(static_cast<float>(bicubic((i + 0.5 - center) / scale) / sum));
  }
  return taps;
}

std::uint8_t to_byte(float value) { return static_cast<std::uint8_t>(std::clamp(value + 0.5f, 0.0f, 255.0f)); }

}  // namespace

data::Image shrink_shorter_side(const data::Image& image, int shorter) {
  const int side = std::min(image.width, image.height);
  if (side <= shorter) return image;
  const auto scaled = [&](int length) {
    return std::max(1, static_cast<int>(std::lround(static_cast<double>(length) * shorter / side)));
  };
  const int width = scaled(image.width), height = scaled(image.height);
  const auto columns = make_taps(image.width, width), rows = make_taps(image.height, height);
  const auto row_values = static_cast<std::size_t>(width) * 3;
  std::vector<float> narrow(row_values * static_cast<std::size_t>(image.height));  // [image.height, width, 3]
  for (int y = 0; y < image.height; ++y) {
    float* out = narrow.data() + static_cast<std::size_t>(y) * row_values;
    for (const Taps& tap : columns) {
      const std::uint8_t* in = image.row(y) + static_cast<std::size_t>(tap.first) * 3;
      float sum[3] = {0, 0, 0};
      for (const float weight : tap.weights) {
        for (int c = 0; c < 3; ++c) sum[c] += weight * static_cast<float>(*in++);
      }
      out = std::copy(sum, sum + 3, out);
    }
  }
  data::Image result;
  result.resize(width, height);
  std::vector<float> sums(row_values);
  for (int y = 0; y < height; ++y) {
    const Taps& tap = rows[static_cast<std::size_t>(y)];
    std::fill(sums.begin(), sums.end(), 0.0f);
    for (std::size_t t = 0; t < tap.weights.size(); ++t) {
      const float* in = narrow.data() + (static_cast<std::size_t>(tap.first) + t) * row_values;
      for (std::size_t x = 0; x < row_values; ++x) sums[x] += tap.weights[t] * in[x];
    }
    std::transform(sums.begin(), sums.end(), result.row(y), to_byte);
  }
  return result;
}

}  // namespace barlow::data_tools
