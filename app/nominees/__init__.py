"""Legacy: who gets what when its owner can't give it any more."""
