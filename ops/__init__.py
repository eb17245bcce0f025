"""The ground floor: what every process needs to run. It imports nothing above itself."""
