"""What identifies texts."""

import hashlib


def digest(*texts: str) -> str:
    """16 hexadecimal digits that identify ``texts``, in their order."""
    return hashlib.sha256("\0".join(texts).encode()).hexdigest()[:16]
