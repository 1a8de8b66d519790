#!/usr/bin/env python3
"""Django's command line for the portal."""

import os
import sys


def main() -> None:
    """Run the management command named in the arguments."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "admin_site.config.settings")
    # Commands run one at a time and need no connection pool.
    os.environ.setdefault("CITIZENPC_PROCESS", "command")
    from django.core.management import (  # noqa: PLC0415 - reads the environment
        execute_from_command_line,
    )

    execute_from_command_line(sys.argv)


if __name__ == "__main__":
    main()
