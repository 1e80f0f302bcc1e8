"""What can be typed: one file for each verb."""
