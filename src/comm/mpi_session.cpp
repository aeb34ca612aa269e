// SPDX-License-Identifier: Apache-2.0
#include "barlow/comm/mpi_session.hpp"

#include <array>
#include <cstdlib>
#include <exception>

#include "barlow/base/error.hpp"

namespace barlow {

void check_mpi(int code, std::source_location where) {
  if (code == MPI_SUCCESS) return;
  std::array<char, MPI_MAX_ERROR_STRING> text{};
  int length = 0;
  MPI_Error_string(code, text.data(), &length);
  throw CommError(std::string("MPI: ") + std::string(text.data(), static_cast<std::size_t>(length)), where);
}

MpiSession::MpiSession(int* argc, char*** argv) : exceptions_at_start_(std::uncaught_exceptions()) {
  int provided = MPI_THREAD_SINGLE;
  check_mpi(MPI_Init_thread(argc, argv, MPI_THREAD_FUNNELED, &provided));
  if (provided < MPI_THREAD_FUNNELED) throw CommError("this MPI library gives no MPI_THREAD_FUNNELED");
  MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN);
  check_mpi(MPI_Comm_rank(MPI_COMM_WORLD, &rank_));
  check_mpi(MPI_Comm_size(MPI_COMM_WORLD, &world_size_));

  MPI_Comm host = MPI_COMM_NULL;
  check_mpi(MPI_Comm_split_type(MPI_COMM_WORLD, MPI_COMM_TYPE_SHARED, rank_, MPI_INFO_NULL, &host));
  check_mpi(MPI_Comm_rank(host, &local_rank_));
  check_mpi(MPI_Comm_size(host, &local_size_));
  check_mpi(MPI_Comm_free(&host));

  std::array<char, MPI_MAX_PROCESSOR_NAME> name{};
  int length = 0;
  check_mpi(MPI_Get_processor_name(name.data(), &length));
  host_.assign(name.data(), static_cast<std::size_t>(length));
}

MpiSession::~MpiSession() {
  if (std::uncaught_exceptions() == exceptions_at_start_) MPI_Finalize();
}

long long MpiSession::max(long long value) const {
  long long result = value;
  check_mpi(MPI_Allreduce(&value, &result, 1, MPI_LONG_LONG, MPI_MAX, communicator()));
  return result;
}

double MpiSession::sum(double value) const {
  double result = value;
  check_mpi(MPI_Allreduce(&value, &result, 1, MPI_DOUBLE, MPI_SUM, communicator()));
  return result;
}

std::string MpiSession::broadcast(const std::string& text) const {
  auto size = static_cast<long long>(text.size());
  check_mpi(MPI_Bcast(&size, 1, MPI_LONG_LONG, 0, communicator()));
  std::string result = text;
  result.resize(static_cast<std::size_t>(size));
  check_mpi(MPI_Bcast(result.data(), static_cast<int>(size), MPI_CHAR, 0, communicator()));
  return result;
}

std::vector<std::string> MpiSession::gather(const std::string& text) const {
  const auto ranks = static_cast<std::size_t>(world_size_);
  const int size = static_cast<int>(text.size());
  std::vector<int> sizes(ranks);
  check_mpi(MPI_Allgather(&size, 1, MPI_INT, sizes.data(), 1, MPI_INT, communicator()));
  std::vector<int> offsets(ranks + 1, 0);
  for (std::size_t r = 0; r < ranks; ++r) offsets[r + 1] = offsets[r] + sizes[r];
  std::string all(static_cast<std::size_t>(offsets.back()), '\0');
  check_mpi(
      MPI_Allgatherv(text.data(), size, MPI_CHAR, all.data(), sizes.data(), offsets.data(), MPI_CHAR, communicator()));
  std::vector<std::string> texts;
  for (std::size_t r = 0; r < ranks; ++r) {
    texts.push_back(all.substr(static_cast<std::size_t>(offsets[r]), static_cast<std::size_t>(sizes[r])));
  }
  return texts;
}

void MpiSession::barrier() const { check_mpi(MPI_Barrier(communicator())); }

void MpiSession::abort(int exit_code) const {
  MPI_Abort(communicator(), exit_code);
  std::_Exit(exit_code);
}

std::string name_of_rank(const MpiSession& session) {
  return "[rank " + std::to_string(session.rank()) + " of " + std::to_string(session.world_size()) + ", " +
         session.host() + "]";
}

}  // namespace barlow
