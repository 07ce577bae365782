"""Tests of the mail dialogues: no sockets, every split, every cut, every short sequence of replies."""
