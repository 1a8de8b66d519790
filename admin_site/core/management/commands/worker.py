"""Run background tasks until told to stop."""

import asyncio
import signal
from typing import Any

from django.core.management.base import BaseCommand
from procrastinate.contrib.django import app

CONCURRENCY = 4
STOP_SECONDS = 4.0


class Command(BaseCommand):
    help = "Run background tasks: signing, compiling, sweeps."

    def handle(self, *args: Any, **options: Any) -> None:
        asyncio.run(self._work())

    async def _work(self) -> None:
        connector = app.connector.get_worker_connector()  # type: ignore[attr-defined]
        with app.replace_connector(connector) as worker_app:
            async with worker_app.open_async():
                work = asyncio.create_task(
                    worker_app.run_worker_async(
                        name="worker",
                        concurrency=CONCURRENCY,
                        install_signal_handlers=False,
                        delete_jobs="successful",
                        shutdown_graceful_timeout=STOP_SECONDS,
                    )
                )
                loop = asyncio.get_running_loop()
                for number in (signal.SIGTERM, signal.SIGINT):
                    loop.add_signal_handler(number, work.cancel)
                self.stdout.write("Worker is ready.")
                self.stdout.flush()
                await asyncio.gather(work, return_exceptions=True)
