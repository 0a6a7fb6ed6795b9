"""Networks of graphs: messages of nodes to their neighbours, trained for few bits, in integers."""
