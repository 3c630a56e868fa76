"""Exports as files: how one is written, where it is kept, how it is read again."""
