# SPDX-License-Identifier: Apache-2.0
# Run by every build, since commits come between configurations: cmake -DGIT=... -DPROJECT=... -DBARLOW_VERSION=... -DOUTPUT=... -P commit.cmake
# OUTPUT is written only where it changes.
set(BARLOW_COMMIT "unknown commit")
if(GIT)
  execute_process(COMMAND ${GIT} describe --always --dirty --exclude=* WORKING_DIRECTORY ${PROJECT}
                  OUTPUT_VARIABLE commit OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET RESULT_VARIABLE failed)
  if(NOT failed)
    set(BARLOW_COMMIT ${commit})
  endif()
endif()
configure_file(${CMAKE_CURRENT_LIST_DIR}/version.cpp.in ${OUTPUT} @ONLY)
