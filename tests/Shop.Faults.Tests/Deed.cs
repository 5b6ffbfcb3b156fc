using System.Net;

namespace Shop.Faults.Tests;

/// <summary>
/// Something that a client wants done, safe to ask for again: it is, until there is an answer. So what a crash
/// left open is known in the end.
/// </summary>
/// <param name="Service">Name of the service.</param>
/// <param name="Path">Where it is posted to.</param>
/// <param name="Body">What is posted.</param>
/// <param name="Key">Makes it safe to repeat; null where it is by itself.</param>
/// <param name="Done">Enters the answer into the client's books.</param>
internal sealed record Deed(string Service, string Path, object? Body, string? Key, Action<string> Done)
{
    /// <summary>Asks once.</summary>
    /// <returns>Whether there was an answer that decides it: success, or too little stock.</returns>
    public async Task<bool> TryAsync(ShopProcess shop)
    {
        HttpClient client = Service == "orders" ? shop.Orders : shop.Inventory;
        (string Name, string Value)[] headers = Key is null ? [] : [("Idempotency-Key", Key)];
        (HttpResponseMessage response, var json) = await client.PostAsync(Path, Body, headers);
        using (response)
        {
            if (response.IsSuccessStatusCode)
            {
                Done(json!.ToJsonString());
                return true;
            }

            if (response.StatusCode == HttpStatusCode.Conflict
                && (string)json!["type"]! == "urn:shop:problem:insufficient-stock")
            {
                return true;
            }

            if (response.StatusCode is HttpStatusCode.ServiceUnavailable or HttpStatusCode.TooManyRequests)
                return false;
            throw new AssertionException(
                $"POST {Path} {Key} answered {(int)response.StatusCode}: {json?.ToJsonString()}");
        }
    }
}
