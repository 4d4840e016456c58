"""`make mutations`: faults that the tests have to notice, one at a time, in a copy."""
