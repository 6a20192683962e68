"""The agent put together: state, context, edges, topology, and the resources that it runs on."""
