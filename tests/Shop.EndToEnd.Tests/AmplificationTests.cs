using System.Net;
using System.Text.Json.Nodes;

namespace Shop.EndToEnd.Tests;

/// <summary>What costs a client little must not cost the shop much.</summary>
internal sealed class AmplificationTests
{
    [Test]
    public async Task Given_a_query_of_thousands_of_unknown_parameters_then_the_answer_lists_a_bounded_number_and_counts_the_rest()
    {
        await using ShopUnderTest shop = await ShopUnderTest.StartAsync();
        const int Parameters = 1500;
        string query = string.Join('&', Enumerable.Range(0, Parameters).Select(n => $"p{n}"));
        (HttpResponseMessage response, JsonNode? problem) = await shop.Orders.SendJsonAsync(
            HttpMethod.Get, $"/orders?{query}");
        Assert.That(response.StatusCode, Is.EqualTo(HttpStatusCode.BadRequest));
        Assert.That(problem!["errors"]!.AsObject(), Has.Count.EqualTo(16));
        Assert.That((string)problem["detail"]!, Does.EndWith($"and {Parameters - 3} more"));
    }
}
