"""What a process imports and compiles before its first command; see `commands.py`."""

import primum.server.agent
import primum.server.api
import primum.server.cli
import primum.server.console  # noqa: F401
from primum.safety.validator import examine

examine("I take warfarin and ibuprofen 800 mg four times a day.")
