"""Make the file that the worker's CITIZENPC_MASTER_KEY_FILE names."""

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from admin_site.core.crypto import make_master_key_file


class Command(BaseCommand):
    help = "Write a new master key; refuses to overwrite one."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("path", type=Path)

    def handle(self, *args: Any, **options: Any) -> None:
        path: Path = options["path"]
        try:
            make_master_key_file(path)
        except FileExistsError as error:
            raise CommandError(f"{path} exists; it is left as it is.") from error
        except OSError as error:
            raise CommandError(f"{path}: {error.strerror}.") from error
        self.stdout.write(f"Wrote {path}. Keep a copy away from this server.")
