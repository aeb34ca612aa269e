// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace barlow::report {

/// page.css and page.js as the build found them.
extern const char* const kPageCss;
extern const char* const kPageJs;

}  // namespace barlow::report
