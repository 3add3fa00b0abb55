/* web_assets.h - the files of web/, part of the binary since its build. */
#ifndef TASKDIAG_SERVE_WEB_ASSETS_H
#define TASKDIAG_SERVE_WEB_ASSETS_H

#include "report/assets.h"

enum web_asset_name { WEB_TASKS_HTML, WEB_TASKS_JS, WEB_TASKS_CSS, WEB_ASSETS };

struct asset web_asset(enum web_asset_name name);

#endif
