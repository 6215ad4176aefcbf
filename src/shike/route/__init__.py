"""WHO does it: from a run that is due, and a picture of the workers, to one worker and the reason.

Everything here is pure: `nouns` is what goes in and comes out, `fitness` says who may have a run at all, each file of
`strategies` is one way to choose among them (taking it away takes that route away and nothing else), `chooser` puts
them together, `balance` decides which runs should move on. Who acts on it is `shike.scheduler.router`.
"""
