"""The port to payment providers, and the two behind it: the built-in simulator and Stripe."""
