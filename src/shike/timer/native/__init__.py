"""The sources of the compiled calendar queue, and how to compile them. `shike.timer.build` says whether it is used."""
