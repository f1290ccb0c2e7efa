"""How good a bundle is: point metrics, intervals, significance, calibration, and the report that shows them."""
