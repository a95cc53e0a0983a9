"""Chat front ends: what their protocols send is read here, and what a run does is told in their events.

Nothing of the history that they send is used: what was said, and what may be done, stands in our own rows.
"""
