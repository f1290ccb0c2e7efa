"""Pretrained bases behind one name: a packaged one, a local folder, or ``hub:org/name``."""
