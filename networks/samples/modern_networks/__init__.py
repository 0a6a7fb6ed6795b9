"""Networks of today, from wheels on PyPI: text recognition, text direction, a small BERT."""
