"""The shared test harness: what every molecule scenario uses to break, change and measure a cluster (see README.md)."""
