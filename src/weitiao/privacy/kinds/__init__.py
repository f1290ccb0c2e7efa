"""One file a kind of personal data: ``spans(text)`` says where it stands in a plain text."""
