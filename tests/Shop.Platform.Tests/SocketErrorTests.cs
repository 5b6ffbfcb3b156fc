using System.Net.Sockets;
using Shop.Platform.Http;

namespace Shop.Platform.Tests;

internal sealed class SocketErrorTests
{
    [Test]
    public void Given_a_connection_that_is_reset_as_it_is_made_when_the_shop_asks_itself_then_the_request_has_no_answer()
    {
        using var client = new HttpClient(new SocketErrorHandler(new Reset()));
        Assert.That(async () => await client.GetAsync(new Uri("http://localhost/")),
            Throws.TypeOf<HttpRequestException>().With.InnerException.TypeOf<SocketException>());
    }

    /// <summary>As HttpClient does it: it asks the new socket for its address, and that is gone.</summary>
    private sealed class Reset : HttpMessageHandler
    {
        protected override Task<HttpResponseMessage> SendAsync(
            HttpRequestMessage request, CancellationToken cancellationToken) =>
            throw new SocketException((int)SocketError.NotConnected);
    }
}
