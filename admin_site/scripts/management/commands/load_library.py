"""Take the release's script library into the database and the blob directory."""

from typing import Any

from django.core.management.base import BaseCommand

from admin_site.core import clock
from admin_site.scripts.services import load_library
from scripts.index import LIBRARY_ROOT
from scripts.index import load_library as read_library


class Command(BaseCommand):
    help = "Import the script library of this release; safe to run again."

    def handle(self, *args: Any, **options: Any) -> None:
        library = read_library(LIBRARY_ROOT)
        created = load_library(library=library, now=clock.now())
        self.stdout.write(f"{len(library)} scripts in the library, {created} new.")
