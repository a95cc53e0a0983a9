"""A payment provider to click through and to test with: shaped like the part of Stripe that we call, no money moves."""
