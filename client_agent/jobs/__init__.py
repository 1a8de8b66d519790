"""Jobs on the computer: leased, journalled, run once, followed and reported."""
