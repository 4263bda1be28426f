"""What takes a worker's messages from the broker, and outlives it."""

from typing import Any

from celery.worker.consumer import Consumer

from docmill.worker.reconnecting import looking_often


class SteadyConsumer(Consumer):
    """Celery's consumer, which connects anew when the broker is back, also while it has messages in hand."""

    connection: Any

    def ensure_connected(self, conn: Any) -> Any:
        """Celery waits ever longer for a broker that is away."""
        return super().ensure_connected(looking_often(conn))

    def on_connection_error_after_connected(self, exc: Exception) -> None:
        """Celery 5.7 gives what is in hand (retries that are not due yet) back over the connection that was lost, and
        the error ends the worker. These messages are let go: the sweep enqueues their documents."""
        for channel in self.connection.transport.channels:
            channel.do_restore = False
        super().on_connection_error_after_connected(exc)
