"""Measuring what is found and answered: for `lifevault eval`, the benchmarks and the tests."""
