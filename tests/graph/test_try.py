import time, cProfile, pstats
from primum.graph.agent import Agent
from tests.fakes import FakeVLLM
async def test_x(agent, vllm):
    for i in range(3):
        vllm.says("Adults can take 500 mg to 1 g of paracetamol every 4 to 6 hours, up to 4 g in 24 hours [1].")
        t=time.time()
        if i==0:
            p=cProfile.Profile(); p.enable()
        a = await agent.ask("How much paracetamol can an adult take?")
        if i==0:
            p.disable(); pstats.Stats(p).sort_stats("cumtime").print_stats(60)
        print(time.time()-t, a.trace.timings_ms, a.trace.problems)
