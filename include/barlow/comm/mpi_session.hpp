// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <mpi.h>

#include <cstring>
#include <source_location>
#include <span>
#include <string>
#include <type_traits>
#include <vector>

namespace barlow {

/// Throws CommError naming MPI's own message unless `code` is MPI_SUCCESS.
void check_mpi(int code, std::source_location where = std::source_location::current());

/// MPI for the life of the program, and the control messages between ranks: small values on the host. Tensors go
/// through Collectives. Made once, in main(), before anything that communicates.
///
/// Functions marked Collective are called by every rank in the same order; they throw CommError.
class MpiSession {
 public:
  MpiSession(int* argc, char*** argv);
  /// Finalises MPI, but not while an exception unwinds: the other ranks may be waiting in a collective for ever.
  ~MpiSession();
  MpiSession(const MpiSession&) = delete;
  MpiSession& operator=(const MpiSession&) = delete;

  int rank() const { return rank_; }
  int world_size() const { return world_size_; }
  bool is_root() const { return rank_ == 0; }
  /// This rank's number among the ranks of its host, and how many those are.
  int local_rank() const { return local_rank_; }
  int local_size() const { return local_size_; }
  const std::string& host() const { return host_; }
  MPI_Comm communicator() const { return MPI_COMM_WORLD; }

  /// The largest of the ranks' values. Collective.
  long long max(long long value) const;
  /// The sum of the ranks' values, added in an order that depends on the number of ranks only. Collective.
  double sum(double value) const;
  /// Root's text, on every rank. Collective.
  std::string broadcast(const std::string& text) const;
  /// Every rank's text, in rank order, on every rank. Collective.
  std::vector<std::string> gather(const std::string& text) const;
  /// Every rank's values, one rank's behind the other's, on every rank. Collective.
  template <class T>
  std::vector<T> gather_values(std::span<const T> values) const {
    static_assert(std::is_trivially_copyable_v<T>);
    std::vector<T> all;
    for (const std::string& part : gather({reinterpret_cast<const char*>(values.data()), values.size_bytes()})) {
      const std::size_t before = all.size();
      all.resize(before + part.size() / sizeof(T));
      if (!part.empty()) std::memcpy(all.data() + before, part.data(), part.size());
    }
    return all;
  }
  /// Collective.
  void barrier() const;

  /// Ends all ranks at once, without cleaning up, with this exit code.
  [[noreturn]] void abort(int exit_code) const;

 private:
  int rank_ = 0;
  int world_size_ = 1;
  int local_rank_ = 0;
  int local_size_ = 1;
  int exceptions_at_start_ = 0;
  std::string host_;
};

/// `[rank 3 of 8, nid0042]`, for messages.
std::string name_of_rank(const MpiSession& session);

}  // namespace barlow
