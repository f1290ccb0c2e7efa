"""Answers that a language model composes from passages, sent only where the passages support every sentence."""
