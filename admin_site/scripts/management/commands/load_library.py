"""Take the release's script library into the database and the blob directory."""

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from admin_site.core import clock
from admin_site.scripts.services import load_library
from scripts.index import LIBRARY_ROOT
from scripts.index import load_library as read_library


class Command(BaseCommand):
    help = "Import the script library of this release; safe to run again."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--library",
            type=Path,
            default=LIBRARY_ROOT,
            help="directory of the library, that of this release if not given",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        library = read_library(options["library"])
        created = load_library(library=library, now=clock.now())
        self.stdout.write(f"{len(library)} scripts in the library, {created} new.")
