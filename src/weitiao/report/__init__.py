"""Plots and self-contained pages, one small kit for every report."""
