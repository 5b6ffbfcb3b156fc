using Shop.Platform.Http;

namespace Shop.Platform.Tests;

/// <summary>What SECURITY.md says of the memory that clients may take.</summary>
internal sealed class MemoryBudgetTests
{
    private const long KiB = 1024, MiB = 1024 * KiB, GiB = 1024 * MiB;

    // Three quarters of the container's 256 MiB are 192 MiB.
    [TestCase(192 * MiB, 8192, 24 * MiB, 12 * MiB, 4096)]
    [TestCase(1 * GiB, 24_576, 128 * MiB, 64 * MiB, 4096)]
    [TestCase(16 * GiB, 24_576, 2 * GiB, 1 * GiB, 43_690)]
    [TestCase(64 * GiB, 24_576, 8 * GiB, 4 * GiB, 65_536)]
    [TestCase((24 * KiB * 7) + 1, 7, 21_504, 10_752, 4096)]
    [TestCase((24 * KiB * 7) - 1, 6, 21_503, 10_751, 4096)]
    [TestCase(5 * KiB, 1, 640, 320, 4096)]
    public void Given_an_amount_of_memory_then_connections_requests_and_responses_have_their_share_of_it(
        long available, int connections, long requestBytes, long responseBytes, int responseBuffer)
    {
        var budget = new MemoryBudget(available, connections: 3 * 8192);
        Assert.That((budget.Connections, budget.RequestBytes, budget.ResponseBytes, budget.ResponseBuffer),
            Is.EqualTo((connections, requestBytes, responseBytes, responseBuffer)));
    }
}
