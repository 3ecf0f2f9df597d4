"""Checks of files from untrusted folders: what they may contain and call."""
