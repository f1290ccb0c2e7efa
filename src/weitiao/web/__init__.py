"""Pages that a running program serves: their frame, their language, their login; nothing comes from another host."""

from weitiao.web.incoming import from_own_page, language_of
from weitiao.web.page import login_form, page, send_home, set_cookie

__all__ = ["from_own_page", "language_of", "login_form", "page", "send_home", "set_cookie"]
