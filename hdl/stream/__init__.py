"""Streams of words with valid and ready: queues, registers and adapters."""
