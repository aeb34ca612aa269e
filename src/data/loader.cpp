// SPDX-License-Identifier: Apache-2.0
#include "barlow/data/loader.hpp"

#include <algorithm>
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
#include "barlow/data/image_decoder.hpp"
#include "barlow/data/view_plans.hpp"

namespace barlow::data {
namespace {

constexpr int kMaxReplacements = 100;  // in a row: then the dataset is broken, not an image

/// A batch in the making. Workers take its images one by one.
struct Job {
  HostBatch batch;
  std::int64_t taken = 0, done = 0;
  std::int64_t placed = 0;  ///< images whose pixels have a place
  std::size_t used = 0;     ///< bytes of pixels up to there
  std::exception_ptr error;

  std::int64_t size() const { return static_cast<std::int64_t>(batch.sample_ids.size()); }
};

using Recipes = std::array<ViewRecipe, 2>;

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
  std::vector<std::jthread> threads;  // the last member: they use all others

  Impl(const Dataset& set, Sampler order, const AugmentationOptions& views, const LoaderOptions& how, const Plan& what)
      : dataset(set), sampler(std::move(order)), augmentation(views), options(how), plan(what) {}
  /// Lets the threads end, which then join: all of them, or those that were started before one could not be.
  ~Impl() {
    {
      const std::lock_guard lock(mutex);
      stopping = true;
    }
    work.notify_all();
  }
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;

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
      give_memory(job->batch);
      jobs.push_back(std::move(job));
    }
    work.notify_all();
  }

  void give_memory(HostBatch& batch) const {
    const std::size_t b = batch.sample_ids.size();
    const std::size_t images_bytes = b * std::max(options.image_bytes, 2 * view_bytes());
    const std::size_t num_plans = options.image_bytes > 0 ? 2 * b : 0;
    const std::size_t bytes = num_plans * sizeof(pixels::ViewPlan) + images_bytes;
    if (batch.memory.size_bytes() < bytes) batch.memory = options.allocate(bytes);
    batch.plans = {static_cast<pixels::ViewPlan*>(batch.memory.data()), num_plans};
    batch.images = {reinterpret_cast<std::uint8_t*>(batch.plans.data() + num_plans), images_bytes};
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
        make_image(*item->first, item->second, workspace);
      } catch (...) {
        error = std::current_exception();
      }
      lock.lock();
      if (error && !item->first->error) item->first->error = error;
      if (++item->first->done == item->first->size()) ready.notify_all();
    }
  }

  void make_image(Job& job, std::int64_t position, Workspace& workspace) {
    const std::int64_t sample = job.batch.sample_ids[static_cast<std::size_t>(position)];
    read_image(sample, workspace);
    const std::int64_t epoch = job.batch.step / sampler.steps_per_epoch();
    Recipes recipes;
    for (int view = 0; view < 2; ++view) {
      recipes[static_cast<std::size_t>(view)] =
          draw_recipe(augmentation, plan.seed, epoch, sample, view, workspace.image.width, workspace.image.height);
    }
    const auto slot = static_cast<std::size_t>(position);
    if (job.batch.plans.empty()) {
      make_views(recipes, workspace, job.batch.images.data() + slot * view_bytes(),
                 static_cast<std::size_t>(job.size()) * view_bytes());
    } else {
      const auto plans = place_pixels(job, recipes, workspace);
      job.batch.plans[slot] = plans[0];
      job.batch.plans[slot + static_cast<std::size_t>(job.size())] = plans[1];
    }
  }

  /// The second view comes `stride` bytes behind the first.
  void make_views(const Recipes& recipes, Workspace& workspace, std::uint8_t* first, std::size_t stride) const {
    for (std::size_t view = 0; view < 2; ++view) {
      apply(recipes[view], workspace.image, augmentation.image_size, workspace.scratch,
            {first + view * stride, view_bytes()});
    }
  }

  /// Puts the pixels that the views need into the batch; where they do not fit, the views themselves.
  std::array<pixels::ViewPlan, 2> place_pixels(Job& job, const Recipes& recipes, Workspace& workspace) {
    const Image& image = workspace.image;
    const int size = augmentation.image_size;
    auto [region, plans] = plan_views(recipes, image.width, image.height, size);
    const std::size_t row_bytes = 3 * static_cast<std::size_t>(region.width);
    const std::size_t bytes = row_bytes * static_cast<std::size_t>(region.height);
    std::optional<std::size_t> place;
    if (std::ranges::all_of(plans,
                            [&](const auto& p) { return p.is_possible(static_cast<std::int64_t>(bytes), size); }))
      place = take_room(job, bytes);
    if (place) {
      std::uint8_t* to = job.batch.images.data() + *place;
      for (int y = 0; y < region.height; ++y, to += row_bytes)
        std::copy_n(image.row(region.top + y) + std::ptrdiff_t{3} * region.left, row_bytes, to);
    } else {
      place = take_room(job, 2 * view_bytes());
      make_views(recipes, workspace, job.batch.images.data() + *place, view_bytes());
      plans.fill(plan_of_view(size));
      plans[1].first_byte = static_cast<std::int64_t>(view_bytes());
    }
    for (pixels::ViewPlan& p : plans) p.first_byte += static_cast<std::int64_t>(*place);
    return plans;
  }

  /// A place for so many bytes of an image, unless a later image could then lack room for its views.
  std::optional<std::size_t> take_room(Job& job, std::size_t bytes) {
    const std::lock_guard lock(mutex);
    const std::size_t kept = static_cast<std::size_t>(job.size() - job.placed - 1) * 2 * view_bytes();
    if (job.used + bytes + kept > job.batch.images.size()) return std::nullopt;
    ++job.placed;
    return std::exchange(job.used, job.used + bytes);
  }

  /// Decodes the sample, or what stands in for it.
  void read_image(std::int64_t sample, Workspace& workspace) {
    for (int attempt = 0;; ++attempt) {
      const std::int64_t candidate = (sample + attempt) % dataset.size();
      try {
        workspace.decoder.read(dataset, candidate, workspace.bytes, workspace.image);
        return;
      } catch (const DataError& error) {
        const std::string what = error.what();
        if (options.corrupt_policy == CorruptPolicy::kStop)
          throw DataError(what + "; --on-corrupt replace goes on without it");
        const std::int64_t most = std::min<std::int64_t>(kMaxReplacements, dataset.size() - 1);
        if (attempt == most) throw DataError(what + "; so are the " + std::to_string(most) + " images before it");
        warn_once(candidate, what);
      }
    }
  }

  /// Takes the first batch, which is done, and plans another; called with the mutex held.
  HostBatch take_first() {
    const std::shared_ptr<Job> job = std::move(jobs.front());
    jobs.pop_front();
    plan_ahead();
    if (job->error) std::rethrow_exception(job->error);
    if (!job->batch.plans.empty()) job->batch.images = job->batch.images.first(job->used);
    return std::move(job->batch);
  }

  void warn_once(std::int64_t sample, const std::string& what) {
    const std::lock_guard lock(mutex);
    if (warned.insert(sample).second) options.warn(what + "; the next readable image stands in for it");
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

Loader::~Loader() = default;

Buffer allocate_host(std::size_t size_bytes) {
  return {::operator new(size_bytes), size_bytes, [](void* memory) noexcept { ::operator delete(memory); }};
}

std::size_t room_per_image(const Dataset& dataset, int view_size) {
  double total = 0;
  for (std::int64_t i = 0; i < dataset.size(); ++i) total += 3.0 * dataset.info(i).width * dataset.info(i).height;
  const double with_reserve = 1.25 * total / static_cast<double>(dataset.size());
  const double two_views = 6.0 * view_size * view_size;
  return static_cast<std::size_t>(std::clamp(with_reserve, two_views, 8 * two_views));
}

HostBatch Loader::next() {
  std::unique_lock lock(impl_->mutex);
  if (impl_->jobs.empty()) throw Error("the loader has no more batches");
  const std::shared_ptr<Job> job = impl_->jobs.front();
  const Stopwatch watch;
  impl_->ready.wait(lock, [&] { return job->done == job->size(); });
  impl_->waited_s += watch.elapsed_s();
  return impl_->take_first();
}

std::optional<HostBatch> Loader::try_next() {
  const std::lock_guard lock(impl_->mutex);
  if (impl_->jobs.empty()) return std::nullopt;
  const Job& job = *impl_->jobs.front();
  if (job.done < job.size() || job.error) return std::nullopt;  // an error is next()'s to tell
  return impl_->take_first();
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
