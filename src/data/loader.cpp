// SPDX-License-Identifier: Apache-2.0
#include "barlow/data/loader.hpp"

#include <condition_variable>
#include <deque>
#include <exception>
#include <mutex>
#include <optional>
#include <set>
#include <span>
#include <thread>

#include "barlow/base/clock.hpp"
#include "barlow/base/error.hpp"
#include "barlow/base/log.hpp"
#include "barlow/data/image_decoder.hpp"

namespace barlow::data {
namespace {

constexpr int kMaxReplacements = 100;  // in a row: then the dataset is broken, not an image

/// A batch in the making. Workers take its images one by one.
struct Job {
  HostBatch batch;
  std::int64_t taken = 0, done = 0;
  std::exception_ptr error;

  std::int64_t size() const { return static_cast<std::int64_t>(batch.sample_ids.size()); }
};

/// What a worker keeps between images.
struct Workspace {
  ImageDecoder decoder;
  AugmentationScratch scratch;
  std::vector<std::uint8_t> bytes;
  Image image;
};

}  // namespace

struct Loader::Impl {
  const Dataset& dataset;
  Sampler sampler;
  AugmentationOptions augmentation;
  LoaderOptions options;
  Plan plan;

  std::mutex mutex;
  std::condition_variable work, ready;
  std::deque<std::shared_ptr<Job>> jobs;  ///< in order of steps
  std::vector<HostBatch> spare;
  std::int64_t steps_planned = 0;
  std::set<std::int64_t> warned;
  bool stopping = false;
  double waited_s = 0;
  std::vector<std::jthread> threads;

  Impl(const Dataset& set, Sampler order, const AugmentationOptions& views, const LoaderOptions& how, const Plan& what)
      : dataset(set), sampler(std::move(order)), augmentation(views), options(how), plan(what) {}

  std::size_t view_bytes() const {
    return static_cast<std::size_t>(augmentation.image_size) * static_cast<std::size_t>(augmentation.image_size) * 3;
  }

  /// Fills the queue with jobs; called with the mutex held.
  void plan_ahead() {
    while (static_cast<int>(jobs.size()) < options.queue_depth && steps_planned < plan.num_steps) {
      auto job = std::make_shared<Job>();
      if (!spare.empty()) {
        job->batch = std::move(spare.back());
        spare.pop_back();
      }
      job->batch.step = plan.first_step + steps_planned++;
      job->batch.sample_ids = sampler.sample_ids(job->batch.step, plan.rank, plan.world_size);
      const std::size_t bytes = 2 * job->batch.sample_ids.size() * view_bytes();
      if (job->batch.memory.size_bytes() < bytes) job->batch.memory = options.allocate(bytes);
      job->batch.images = {static_cast<std::uint8_t*>(job->batch.memory.data()), bytes};
      jobs.push_back(std::move(job));
    }
    work.notify_all();
  }

  /// The next image to make, if there is one; called with the mutex held.
  std::optional<std::pair<std::shared_ptr<Job>, std::int64_t>> take() {
    for (const auto& job : jobs) {
      if (job->taken < job->size()) return std::pair(job, job->taken++);
    }
    return std::nullopt;
  }

  void run_worker() {
    Workspace workspace;
    std::unique_lock lock(mutex);
    for (;;) {
      auto item = take();
      if (stopping) return;
      if (!item) {
        work.wait(lock);
        continue;
      }
      lock.unlock();
      std::exception_ptr error;
      try {
        make_views(*item->first, item->second, workspace);
      } catch (...) {
        error = std::current_exception();
      }
      lock.lock();
      if (error && !item->first->error) item->first->error = error;
      if (++item->first->done == item->first->size()) ready.notify_all();
    }
  }

  void make_views(Job& job, std::int64_t position, Workspace& workspace) {
    const std::int64_t sample = job.batch.sample_ids[static_cast<std::size_t>(position)];
    read_image(sample, workspace);
    const std::int64_t epoch = job.batch.step / sampler.steps_per_epoch();
    for (int view = 0; view < 2; ++view) {
      const ViewRecipe recipe =
          draw_recipe(augmentation, plan.seed, epoch, sample, view, workspace.image.width, workspace.image.height);
      const auto slot = static_cast<std::size_t>(view * job.size() + position);
      apply(recipe, workspace.image, augmentation.image_size, workspace.scratch,
            job.batch.images.subspan(slot * view_bytes(), view_bytes()));
    }
  }

  /// Decodes the sample, or what stands in for it.
  void read_image(std::int64_t sample, Workspace& workspace) {
    for (int attempt = 0;; ++attempt) {
      const std::int64_t candidate = (sample + attempt) % dataset.size();
      try {
        dataset.read(candidate, workspace.bytes);
        workspace.decoder.decode(workspace.bytes, dataset.info(candidate), workspace.image);
        return;
      } catch (const DataError& error) {
        const std::string what = dataset.describe(candidate) + ": " + error.what();
        if (options.corrupt_policy == CorruptPolicy::kStop)
          throw DataError(what + "; --on-corrupt replace goes on without it");
        if (attempt == kMaxReplacements)
          throw DataError(what + "; so are the " + std::to_string(kMaxReplacements) + " images before it");
        warn_once(candidate, what);
      }
    }
  }

  void warn_once(std::int64_t sample, const std::string& what) {
    const std::lock_guard lock(mutex);
    if (warned.insert(sample).second) log::warning(what + "; the next readable image stands in for it");
  }
};

Loader::Loader(const Dataset& dataset, Sampler sampler, const AugmentationOptions& augmentation,
               const LoaderOptions& options, const Plan& plan)
    : impl_(std::make_unique<Impl>(dataset, std::move(sampler), augmentation, options, plan)) {
  {
    const std::lock_guard lock(impl_->mutex);
    impl_->plan_ahead();
  }
  for (int i = 0; i < options.num_workers; ++i)
    impl_->threads.emplace_back([impl = impl_.get()] { impl->run_worker(); });
}

Loader::~Loader() {
  {
    const std::lock_guard lock(impl_->mutex);
    impl_->stopping = true;
  }
  impl_->work.notify_all();
  impl_->threads.clear();  // joins
}

Buffer allocate_host(std::size_t size_bytes) {
  return {::operator new(size_bytes), size_bytes, [](void* memory) noexcept { ::operator delete(memory); }};
}

HostBatch Loader::next() {
  std::unique_lock lock(impl_->mutex);
  if (impl_->jobs.empty()) throw Error("the loader has no more batches");
  const std::shared_ptr<Job> job = impl_->jobs.front();
  const Stopwatch watch;
  impl_->ready.wait(lock, [&] { return job->done == job->size(); });
  impl_->waited_s += watch.elapsed_s();
  impl_->jobs.pop_front();
  impl_->plan_ahead();
  if (job->error) std::rethrow_exception(job->error);
  return std::move(job->batch);
}

void Loader::recycle(HostBatch&& batch) {
  const std::lock_guard lock(impl_->mutex);
  if (static_cast<int>(impl_->spare.size()) < impl_->options.queue_depth) impl_->spare.push_back(std::move(batch));
}

double Loader::wait_seconds() const {
  const std::lock_guard lock(impl_->mutex);
  return impl_->waited_s;
}

}  // namespace barlow::data
