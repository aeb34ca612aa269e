// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <vector>

#include "barlow/backend/make_backend.hpp"
#include "barlow/base/random.hpp"
#include "barlow/comm/make_collectives.hpp"
#include "barlow/evaluate/features.hpp"
#include "support/mpi_require.hpp"

/// What the evaluations of this folder are tested on: samples that every rank can make, and their share per rank.
namespace samples {

struct Samples {
  std::int64_t width = 0;
  std::vector<float> values;         ///< [n, width], all of them
  std::vector<std::int32_t> labels;  ///< [n]
  std::int64_t size() const { return static_cast<std::int64_t>(labels.size()); }
};

/// Points around a centre per class; `spread` 0: the centres themselves.
inline Samples make(std::int64_t count, std::int64_t width, std::int32_t classes, double spread, std::uint64_t seed) {
  Samples samples{width, {}, {}};
  for (std::int64_t i = 0; i < count; ++i) {
    const auto label = static_cast<std::int32_t>((i * 7 + i / 5) % classes);
    barlow::RandomStream centre(1, barlow::RandomStream::Purpose::kSynthetic, static_cast<std::uint64_t>(label));
    barlow::RandomStream noise(seed, barlow::RandomStream::Purpose::kSynthetic, static_cast<std::uint64_t>(i), 1);
    samples.labels.push_back(label);
    for (std::int64_t j = 0; j < width; ++j)
      samples.values.push_back(static_cast<float>(centre.next_uniform(-1, 1) + spread * noise.next_uniform(-1, 1)));
  }
  return samples;
}

/// Sample i belongs to rank i mod world_size.
inline barlow::evaluate::Features share_of(const Samples& samples, const barlow::MpiSession& session) {
  barlow::evaluate::Features features{
      .num_samples = samples.size(), .width = samples.width, .values = {}, .labels = {}};
  for (std::int64_t i = session.rank(); i < samples.size(); i += session.world_size()) {
    features.labels.push_back(samples.labels[static_cast<std::size_t>(i)]);
    const auto row = samples.values.begin() + i * samples.width;
    features.values.insert(features.values.end(), row, row + samples.width);
  }
  return features;
}

/// The machinery of a test on all ranks.
class Machine {
 public:
  explicit Machine(const barlow::MpiSession& session)
      : backend_(barlow::make_backend({.device = "cpu", .num_threads = 1})),
        collectives_(barlow::make_collectives(session)),
        // Nothing of a session changes after its start; Runtime has no const form.
        runtime{const_cast<barlow::MpiSession&>(session), *backend_, *collectives_} {}

 private:
  std::unique_ptr<barlow::Backend> backend_;
  std::unique_ptr<barlow::Collectives> collectives_;

 public:
  barlow::train::Runtime runtime;
};

}  // namespace samples
