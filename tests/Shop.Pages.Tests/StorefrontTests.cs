using System.Globalization;
using System.IO.Compression;
using System.Net;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Shop.Platform.Pages;

namespace Shop.Pages.Tests;

/// <summary>What a customer finds and buys by the pages alone, without a browser.</summary>
internal sealed class StorefrontTests
{
    private static readonly TimeSpan Second = TimeSpan.FromSeconds(1);

    // The noun of a name, and the shelf of its kind.
    private static readonly (string Shelf, string[] Nouns)[] Shelves =
    [
        ("books", ["atlas", "cookbook", "dictionary", "field guide", "poems"]),
        ("clothing", ["cardigan", "scarf", "shirt", "socks", "trousers"]),
        ("electronics", ["charger", "headphones", "keyboard", "radio", "speaker"]),
        ("garden", ["bird house", "planter", "rake", "trellis", "watering can"]),
        ("home", ["bowl", "desk lamp", "mirror", "side table", "vase"]),
        ("kitchen", ["chopping board", "kettle", "knife", "pan", "teapot"]),
        ("sports", ["backpack", "bicycle pump", "racket", "skipping rope", "tent"]),
        ("toys", ["animals", "blocks", "puzzle", "robot", "train"]),
    ];

    private ShopUnderTest _shop = null!;

    [OneTimeSetUp]
    public async Task StartAsync() => _shop = await ShopUnderTest.StartAsync();

    [OneTimeTearDown]
    public async Task StopAsync() => await _shop.DisposeAsync();

    [Test]
    public async Task Given_a_search_of_many_fields_then_each_way_to_sort_sorts_as_it_says_and_each_link_keeps_the_rest()
    {
        string word = $"w{Guid.NewGuid():N}"[..12], category = $"Sorted & {word}";
        (string Name, decimal Price)[] made = [.. Enumerable.Range(0, 61).Select(n =>
            ($"{(char)('A' + (n * 17 % 26))}{n:00} {word}", 5 + (n * 29 % 61 * 0.37m)))];
        var newest = new List<string>();
        foreach ((string name, decimal price) in made.Append(($"Elsewhere {word}", 9m)))
        {
            (HttpResponseMessage answer, _) = await _shop.Products.PostAsync("/products",
                new { name, price, category = name.StartsWith("Else", StringComparison.Ordinal) ? "Other" : category });
            Assert.That((int)answer.StatusCode, Is.EqualTo(201));
            newest.Add(name);
        }

        (decimal low, decimal high) = (6.11m, 26.5m);
        (string Name, decimal Price)[] wanted = [.. made.Where(each => each.Price >= low && each.Price <= high)];
        Assert.That(wanted, Has.Length.InRange(49, 58), "three pages, and some that cost too little or too much");
        newest.Reverse();
        var sorted = new Dictionary<string, string[]?>(StringComparer.Ordinal)
        {
            ["Catalogue"] = null, // by the ids, which the shop made
            ["Name"] = [.. wanted.Select(each => each.Name).Order(StringComparer.Ordinal)],
            ["Price, low first"] = [.. wanted.OrderBy(each => each.Price).Select(each => each.Name)],
            ["Price, high first"] = [.. wanted.OrderByDescending(each => each.Price).Select(each => each.Name)],
            ["Newest"] = [.. newest.Where(name => wanted.Any(each => each.Name == name))],
        };
        (string Value, string Title)[] offered = Options(await _shop.Products.HtmlAsync("/"), "sort");
        Assert.That(offered.Select(option => option.Title), Is.EquivalentTo(sorted.Keys));
        foreach ((string value, string title) in offered)
        {
            var names = new List<string>();
            for (string? path = $"/?q={word}&category={Uri.EscapeDataString(category)}&sort={value}&min_price={low}"
                + $"&max_price={high}"; path is not null;)
            {
                string html = await _shop.Products.HtmlAsync(path);
                names.AddRange(Names(html));
                Assert.That((Field(html, "q"), Field(html, "min_price"), Field(html, "max_price")),
                    Is.EqualTo((word, "6.11", "26.5")), path);
                Assert.That(Selected(html, "sort"), Is.EqualTo(value), path);
                path = Links(html).SingleOrDefault(link => link.Contains("rel=\"next\"", StringComparison.Ordinal)) is
                { } next ? Href(next) : null;
            }

            Assert.That(names, sorted[title] is { } order ? Is.EqualTo(order)
                : Is.EquivalentTo(wanted.Select(each => each.Name)), title);
        }
    }

    [Test]
    public async Task Given_few_categories_then_each_has_a_link_that_keeps_the_search_and_the_chosen_one_is_marked()
    {
        string html = await _shop.Products.HtmlAsync("/?q=pocket&category=Books&sort=-price&max_price=60&page=1");
        string[] chips = [.. Regex.Match(html, "<nav class=\"chips\".*?</nav>", RegexOptions.Singleline, Second).Value
            .Split("</a>").Where(part => part.Contains("href", StringComparison.Ordinal))];
        Assert.That(chips.Count(chip => chip.Contains("aria-current=\"true\"", StringComparison.Ordinal)),
            Is.EqualTo(1));
        Assert.That(chips.Single(chip => chip.Contains("aria-current", StringComparison.Ordinal)),
            Does.EndWith(">Books"));
        string electronics = chips.Single(chip => chip.EndsWith(">Electronics", StringComparison.Ordinal));
        string[] found = Names(await _shop.Products.HtmlAsync(Href(electronics)));
        JsonArray sold = (await _shop.Products.GetJsonAsync("/products?category=Electronics&limit=1000")).AsArray();
        string[] wanted = [.. sold.Where(product => (decimal)product!["price"]! <= 60
                && ((string)product["name"]!).Contains("pocket", StringComparison.OrdinalIgnoreCase))
            .OrderByDescending(product => (decimal)product!["price"]!).Select(product => (string)product!["name"]!)];
        Assert.That(found, Is.EqualTo(wanted).And.Length.InRange(1, 4), "some cost too much");
        string[] all = Names(await _shop.Products.HtmlAsync(Href(chips[0])));
        Assert.That(all, Has.Some.EqualTo("Pocket atlas").And.Some.EqualTo(found[0]));
    }

    [TestCase("min_price=abc")]
    [TestCase("max_price=-1")]
    [TestCase("min_price=1.999")]
    [TestCase("page=0")]
    [TestCase("page=two")]
    [TestCase("sort=price;drop")]
    [TestCase("q=&category=&min_price=&max_price=")]
    public async Task Given_a_field_of_the_search_that_makes_no_sense_then_it_is_as_if_it_were_empty(string query)
    {
        string wrong = await _shop.Products.HtmlAsync($"/?{query}"), right = await _shop.Products.HtmlAsync("/");
        Assert.That(Names(wrong), Is.EqualTo(Names(right)));
        Assert.That((Field(wrong, "min_price"), Field(wrong, "max_price")), Is.EqualTo(("", "")));
    }

    [Test]
    public async Task Given_a_page_that_could_not_be_made_then_it_offers_to_try_again_if_that_may_help_and_else_not()
    {
        await using ShopUnderTest broken = await ShopUnderTest.StartAsync(BrokenInventory.Replace, null);
        foreach ((string path, int status, bool mayHelp) in new[]
        {
            ($"/product/{BrokenInventory.ProductOf("error-429")}?a=1&b=%3C", 429, true),
            ($"/product/{BrokenInventory.ProductOf("error-500")}", 500, true),
            ($"/product/{BrokenInventory.ProductOf("error-503")}?x", 503, true), ("/product/none", 404, false),
        })
        {
            using var request = new HttpRequestMessage(HttpMethod.Get, path);
            request.Headers.Add("Accept", "text/html");
            using HttpResponseMessage answer = await broken.Products.SendAsync(request);
            string html = await answer.Content.ReadAsStringAsync();
            Assert.That((int)answer.StatusCode, Is.EqualTo(status));
            Assert.That(Links(html).Where(link => link.EndsWith(">Try again", StringComparison.Ordinal)).Select(Href),
                Is.EqualTo(mayHelp ? [path] : Array.Empty<string>()), path);
            Assert.That(Links(html).Where(link => link.EndsWith(">Back to the start of this service",
                StringComparison.Ordinal)).Select(Href), Is.EqualTo(new[] { "/" }));
        }
    }

    [Test]
    public async Task Given_a_product_then_four_others_of_its_category_are_shown_the_nearest_by_their_ids()
    {
        string category = $"Near {Guid.NewGuid()}", other = $"Far {Guid.NewGuid()}", run = $"r{Guid.NewGuid():N}"[..10];
        for (int n = 10; n < 30; n++)
        {
            (HttpResponseMessage made, _) = await _shop.Products.PostAsync("/products", new
            {
                id = $"{run}-{n}",
                name = $"{n}",
                price = 1,
                category = n % 3 == 0 ? other : category,
            });
            Assert.That((int)made.StatusCode, Is.EqualTo(201));
        }

        // Of 19 are 20, 17, 22 and 16 the nearest; 18 and 21 are of another category. The first has none before it.
        foreach ((int of, int[] near) in new[] { (19, new[] { 20, 17, 22, 16 }), (10, [11, 13, 14, 16]) })
        {
            Assert.That(Names(await _shop.Products.HtmlAsync($"/product/{run}-{of}")),
                Is.EqualTo(near.Select(n => $"{n}")), $"{of}");
        }
    }

    [Test]
    public async Task Given_stock_around_ten_then_less_is_few_and_ten_is_plenty()
    {
        foreach ((long stock, string card, string page) in new[]
        {
            (0L, "Sold out", "Sold out"), (1, "Only 1 left", "Only 1 left"), (9, "Only 9 left", "Only 9 left"),
            (10, "In stock", "In stock: 10 units"), (11, "In stock", "In stock: 11 units"),
            (1234, "In stock", "In stock: 1,234 units"),
        })
        {
            string category = $"Stock {Guid.NewGuid()}";
            (_, JsonNode? made) = await _shop.Products.PostAsync("/products",
                new { name = "Counted", price = 1, category, initial_stock = stock });
            string mark = stock switch { 0 => "stock out", < 10 => "stock low", _ => "stock" };
            Assert.That(await _shop.Products.HtmlAsync($"/?category={Uri.EscapeDataString(category)}"),
                Does.Contain($"<p class=\"{mark}\">{card}</p>"));
            Assert.That(await _shop.Products.HtmlAsync($"/product/{(string)made!["id"]!}"),
                Does.Contain($"<p class=\"{mark}\">{page}</p>"));
        }
    }

    [Test]
    public async Task Given_a_basket_then_it_is_kept_for_thirty_days_from_its_last_change()
    {
        using HttpResponseMessage answer =
            await _shop.Products.PostFormAsync("/basket", _shop.Origin, [("product_id", "prod_3"), ("quantity", "2")]);
        string cookie = answer.Header("Set-Cookie")!;
        Assert.That(cookie, Does.StartWith("basket=prod_3.2;").And.Contain("max-age=2592000").And.Contain("path=/"));
    }

    [Test]
    public async Task Given_every_product_then_its_picture_is_that_of_its_noun_and_drawing_ground_and_colours_are_there()
    {
        string first = await _shop.Products.HtmlAsync("/");
        string pictures = await AssetAsync(first, "pictures.svg"), styles = await AssetAsync(first, "store.css");
        var seen = new HashSet<string>(StringComparer.Ordinal);
        foreach ((string shelf, string[] nouns) in Shelves)
        {
            foreach (string noun in nouns)
            {
                string drawn = $"{ProductPicture.Of($"id of {noun}", $"Walnut {noun} of oak", "Nowhere")}";
                Check(drawn, noun, "other", "1");
                // Where no category is known, the noun says it.
                Check($"{ProductPicture.Of("x", $"Some {noun}")}", noun, shelf, null);
            }

            // A name without a noun has a drawing of its shelf, and one without a shelf is a parcel.
            string unknown = $"{ProductPicture.Of("unknown", "Something else", shelf.ToUpperInvariant())}";
            Check(unknown, nouns.Single(noun => Drawing(unknown) == noun.Replace(' ', '-')), shelf, null);
        }

        Check($"{ProductPicture.Of("x", "Something else", "Nowhere")}", "parcel", "other", null);
        Check($"{ProductPicture.Of("x", "", "Nowhere")}", "parcel", "other", null);
        string[][] materials =
        [
            ["Oak", "cedar", "BAMBOO", "Wooden", "Willow", "Woven"], ["Walnut"], ["Copper"], ["Terracotta"],
            ["Stainless", "Galvanised", "Magnetic"], ["Cast-iron", "Smoked"], ["Ceramic", "Stoneware", "Linen"],
        ];
        for (int i = 0; i < materials.Length; i++)
        {
            foreach (string material in materials[i])
                Check($"{ProductPicture.Of("x", $"{material} bowl")}", "bowl", "home", $"{i}");
        }

        // Of other things each palette that is left has some.
        for (int n = 0; n < 200; n++) seen.Add(Palette($"{ProductPicture.Of($"prod_{n}", "Merino scarf")}"));
        Assert.That(seen, Is.EquivalentTo(new[] { "7", "8", "9", "10", "11", "12", "13" }));

        // The same wherever it is shown, and today as always.
        string order = await _shop.OrderAsync("prod_57");
        var places = new List<string>();
        foreach ((HttpClient client, string path) in new[]
        {
            (_shop.Products, "/product/prod_57"), (_shop.Products, "/basket"), (_shop.Orders, $"/order/{order}"),
            (_shop.Orders, $"/order/{order}/thanks"),
        })
        {
            string html = await client.HtmlAsync(path, "basket=prod_57.1");
            places.Add(Regex.Match(html, "<svg class=\"picture.*?</svg>", RegexOptions.Singleline, Second).Value);
        }

        Assert.That(places.Distinct().Count(), Is.EqualTo(1), string.Join("\n", places));
        Assert.That(places[0], Does.Contain("cx=\""));

        void Check(string svg, string noun, string shelf, string? palette)
        {
            Assert.That(Drawing(svg), Is.EqualTo(noun.Replace(' ', '-')), svg);
            Assert.That(pictures, Does.Contain($"<symbol id=\"{Drawing(svg)}\""));
            Assert.That(svg, Does.Contain($"shelf-{shelf} "));
            Assert.That(styles, Does.Contain($".shelf-{shelf} "));
            if (palette is not null) Assert.That(Palette(svg), Is.EqualTo(palette), svg);
            Assert.That(styles, Does.Contain($".palette-{Palette(svg)} "));
        }
    }

    [Test]
    public async Task Given_every_page_then_each_of_its_links_leads_to_a_page_and_each_place_that_it_names_is_there()
    {
        string order = await _shop.OrderAsync("prod_57");
        using HttpResponseMessage refused = await _shop.Orders.PostFormAsync("/checkout", _shop.Origin,
            [("customer_id", ""), ("product_id", "prod_57"), ("quantity", "1"), ("product_id", "ghost"),
                ("quantity", "1")]);
        Assert.That(refused.StatusCode, Is.EqualTo(HttpStatusCode.Conflict));
        var pages = new List<(Uri Base, string Html)>
        {
            (new Uri(_shop.Orders.BaseAddress!, "/checkout"), await refused.Content.ReadAsStringAsync()),
        };
        foreach ((HttpClient client, string path) in new[]
        {
            (_shop.Products, "/"), (_shop.Products, "/?q=unicorn"), (_shop.Products, "/?page=3"),
            (_shop.Products, "/product/prod_57"), (_shop.Products, "/product/prod_199"), (_shop.Products, "/basket"),
            (_shop.Products, "/live"), (_shop.Orders, "/"), (_shop.Orders, "/?customer_id=nobody"),
            (_shop.Orders, $"/order/{order}"), (_shop.Orders, $"/order/{order}/thanks"), (_shop.Orders, "/live"),
            (_shop.Inventory, "/"), (_shop.Inventory, "/?product_id=unicorn"), (_shop.Inventory, "/stock/prod_57"),
            (_shop.Inventory, "/live"), (_shop.Inventory, "/live/shop"),
        })
        {
            string html = await client.HtmlAsync(path, path == "/basket" ? "basket=prod_57.1~prod_58.2" : null);
            pages.Add((new Uri(client.BaseAddress!, path), html));
        }

        string empty = await _shop.Products.HtmlAsync("/basket");
        pages.Add((new Uri(_shop.Products.BaseAddress!, "/basket"), empty));
        var read = new Dictionary<string, (int Status, string Html)>(StringComparer.Ordinal);
        var faults = new List<string>();
        foreach ((Uri page, string html) in pages)
        {
            foreach (string target in Values(html, "popovertarget|aria-describedby|aria-labelledby"))
            {
                if (!html.Contains($" id=\"{target}\"", StringComparison.Ordinal)) faults.Add($"{page}: {target}");
            }

            foreach (Uri link in Values(html, "href|src|data-live|data-board").Select(link => new Uri(page, link)))
            {
                if (link.PathAndQuery is "/metrics" or "/live/events" or "/board/events") continue;
                string key = link.GetLeftPart(UriPartial.Query);
                if (key == page.AbsoluteUri) read[key] = (200, html);
                if (!read.TryGetValue(key, out (int Status, string Html) found))
                    read[key] = found = await ReadAsync(key);
                if (found.Status != 200) faults.Add($"{page}: {link} answers {found.Status}");
                string fragment = link.Fragment.TrimStart('#');
                if (!found.Html.Contains($" id=\"{fragment}\"", StringComparison.Ordinal) && fragment.Length > 0)
                    faults.Add($"{page}: {link} has no such place");
            }
        }

        Assert.That(faults.Distinct(), Is.Empty);
        Assert.That(read, Has.Count.GreaterThan(80));
        // A front page answers on each service: these must be the right ones.
        Uri store = _shop.Products.BaseAddress!, orders = _shop.Orders.BaseAddress!;
        foreach ((string path, string text, Uri expected) in new[]
        {
            ("/checkout", "Back to the basket", new Uri(store, "/basket")),
            ("/basket", "Look around in the storefront", store),
            ("/?customer_id=nobody", "Look at all orders", orders), ($"/order/{order}/thanks", "Go on looking", store),
            ($"/order/{order}/thanks", "All orders", orders), ("/?q=unicorn", "look at everything", store),
            ($"/order/{order}/thanks", "Follow the order", new Uri(orders, $"/order/{order}")),
        })
        {
            (Uri page, string html) = pages.First(page => page.Base.PathAndQuery == path
                && page.Html.Contains(text, StringComparison.Ordinal));
            Assert.That(Links(html).Where(link => link.EndsWith($">{text}", StringComparison.Ordinal))
                .Select(link => new Uri(page, Href(link))), Is.Not.Empty.And.All.EqualTo(expected), text);
        }

        async Task<(int, string)> ReadAsync(string url)
        {
            using var request = new HttpRequestMessage(HttpMethod.Get, url);
            request.Headers.Add("Accept", "text/html,*/*;q=0.5");
            using HttpResponseMessage answer = await _shop.ByName.Values
                .Single(client => url.StartsWith($"{client.BaseAddress}", StringComparison.Ordinal)).SendAsync(request);
            return ((int)answer.StatusCode, await answer.Content.ReadAsStringAsync());
        }
    }

    [Test]
    public async Task Given_each_page_then_the_navigation_marks_where_one_is_and_counts_what_is_in_the_basket()
    {
        string order = await _shop.OrderAsync("prod_57");
        foreach ((HttpClient client, string path, string here, string title) in new[]
        {
            (_shop.Products, "/", "Storefront", "Storefront"), (_shop.Products, "/basket", "Storefront", "Basket"),
            (_shop.Products, "/product/prod_57", "Storefront", ""), (_shop.Orders, "/", "Orders", "Orders"),
            (_shop.Orders, $"/order/{order}", "Orders", $"Order {ShortId.Of(order)}"),
            (_shop.Orders, $"/order/{order}/thanks", "Orders", "Thank you"), (_shop.Inventory, "/", "Stock", ""),
            (_shop.Inventory, "/stock/prod_57", "Stock", ""), (_shop.Products, "/live", "Live", ""),
            (_shop.Orders, "/live", "Live", ""), (_shop.Inventory, "/live/shop", "Live", "Live: the whole shop"),
        })
        {
            foreach ((string? basket, string count) in new[]
            {
                (null, ""), ("basket=prod_3.2~prod_4.1234", " 1,236"),
            })
            {
                string html = await client.HtmlAsync(path, basket), services = Nav(html, "Services");
                Assert.That(Links(services)
                    .Where(link => link.Contains("aria-current=\"true\"", StringComparison.Ordinal))
                    .Select(link => link[(link.LastIndexOf('>') + 1)..]), Is.EqualTo(new[] { here }), path);
                string heading = Regex.Match(html, "<h1>(?<title>[^<]*)</h1>", RegexOptions.ExplicitCapture, Second)
                    .Groups["title"].Value;
                Assert.That(html, Does.Contain($"<title>{heading} · Shop</title>"));
                if (title.Length > 0) Assert.That(heading, Is.EqualTo(title));
                if (client != _shop.Products) continue;
                Assert.That(Regex.Replace(Links(Nav(html, "This service"))
                    .Single(link => link.Contains(">Basket", StringComparison.Ordinal)), "<[^>]*>", "",
                    RegexOptions.None, Second), Is.EqualTo($"Basket{count}"), path);
            }
        }

        static string Nav(string html, string label) => Regex.Match(html, $"<nav aria-label=\"{label}\">.*?</nav>",
            RegexOptions.Singleline, Second).Value;
    }

    [Test]
    public async Task Given_what_runs_then_the_forms_of_the_console_have_its_values_and_else_those_of_the_documents()
    {
        string off = await _shop.Orders.HtmlAsync("/live");
        Assert.That((Field(off, "rate"), Selected(off, "shape")), Is.EqualTo(("50", "constant")));
        Assert.That(off, Does.Contain("data-traffic=\"stop\" hidden").And.Contain("data-traffic=\"start\">Start<")
            .And.Contain("data-traffic=\"choices\" open").And.Contain("role=\"status\" data-traffic=\"state\">Off.<"));
        await _shop.Orders.SendJsonAsync(HttpMethod.Put, "/traffic", new { rate = 3, shape = "day" });
        string on = await _shop.Orders.HtmlAsync("/live");
        await _shop.Orders.SendJsonAsync(HttpMethod.Delete, "/traffic");
        Assert.That((Field(on, "rate"), Selected(on, "shape")), Is.EqualTo(("3", "day")));
        Assert.That(on, Does.Contain("data-traffic=\"start\">Change<").And.Contain("Running: day, 3 requests a second")
            .And.Not.Contain("data-traffic=\"stop\" hidden").And.Not.Contain("data-traffic=\"choices\" open"));

        (HttpResponseMessage started, _) = await _shop.Orders.SendJsonAsync(HttpMethod.Put, "/faults/slow_answers",
            new { intensity = 0.001, duration_seconds = 600 });
        Assert.That((int)started.StatusCode, Is.EqualTo(200));
        string html = WebUtility.HtmlDecode(await _shop.Orders.HtmlAsync("/live"));
        JsonArray faults = (await _shop.Orders.GetJsonAsync("/faults")).AsArray();
        await _shop.Orders.SendJsonAsync(HttpMethod.Delete, "/faults");
        Assert.That(faults, Has.Count.GreaterThan(10));
        foreach (JsonNode? fault in faults)
        {
            string name = (string)fault!["name"]!;
            string row =
                Regex.Match(html, $"<tr data-fault=\"{name}\">.*?</tr>", RegexOptions.Singleline, Second).Value;
            bool isActive = (bool)fault["active"]!;
            if (row.Length == 0) // the page offers none that this shop can't have
            {
                Assert.That((string)fault["description"]!, Does.Contain("PostgreSQL"));
                continue;
            }

            Assert.That(isActive, Is.EqualTo(name == "slow_answers"));
            Assert.That(row, Does.Contain((string)fault["description"]!));
            Assert.That((row.Contains("data-running hidden", StringComparison.Ordinal),
                Regex.IsMatch(row, "value=\"end\" class=\"quiet\" hidden", RegexOptions.None, Second),
                row.Contains(">Start anew<", StringComparison.Ordinal)),
                Is.EqualTo((!isActive, !isActive, isActive)), name);
            if ((string)fault["unit"]! == "none") continue;
            Assert.That(row, Does.Contain($"<label>{(string)fault["unit"]!} <input name=\"intensity\""));
            decimal shown = (decimal)fault[isActive ? "intensity" : "default"]!;
            Assert.That(new[] { "min", "max", "value" }.Select(attribute => decimal.Parse(Regex.Match(row,
                $"name=\"intensity\"[^>]* {attribute}=\"(?<value>[^\"]*)\"", RegexOptions.ExplicitCapture, Second)
                .Groups["value"].Value, CultureInfo.InvariantCulture)),
                Is.EqualTo(new[] { (decimal)fault["min"]!, (decimal)fault["max"]!, shown }), name);
        }

        JsonNode first = (await _shop.Orders.GetJsonAsync("/scenarios"))[0]!;
        (HttpResponseMessage begun, JsonNode? scenario) =
            await _shop.Orders.SendJsonAsync(HttpMethod.Put, $"/scenarios/{(string)first["name"]!}");
        Assert.That((int)begun.StatusCode, Is.EqualTo(200));
        html = await _shop.Orders.HtmlAsync("/live");
        await _shop.Orders.SendJsonAsync(HttpMethod.Delete, "/scenarios");
        DateTimeOffset ends = DateTimeOffset.Parse((string)scenario!["ends_at"]!);
        Assert.That(html, Does.Contain($"<strong>Being played</strong> until {ends.UtcDateTime:HH:mm:ss} UTC"));
        Assert.That(Regex.Count(html, ">Being played<", RegexOptions.None, Second), Is.EqualTo(1));
    }

    [Test]
    public async Task Given_the_files_of_the_pages_then_each_has_the_type_of_its_name_whether_it_is_compressed_or_not()
    {
        string html = await _shop.Orders.HtmlAsync("/live");
        string pictures = Regex.Match(await _shop.Products.HtmlAsync("/"), "/assets/pictures[^\"#]*",
            RegexOptions.None, Second).Value;
        string[] files = [.. Values(html, "href|src")
            .Where(path => path.StartsWith("/assets/", StringComparison.Ordinal)).Append(pictures).Distinct()];
        Assert.That(files, Has.Length.EqualTo(8));
        foreach (string file in files)
        {
            string plain = await ReadAsync(file, "identity"), compressed = await ReadAsync(file, "br");
            Assert.That(compressed, Is.EqualTo(plain), file);
        }

        async Task<string> ReadAsync(string file, string encoding)
        {
            using var request = new HttpRequestMessage(HttpMethod.Get, file)
            {
                Headers = { { "Accept-Encoding", encoding } },
            };
            using HttpResponseMessage answer = await _shop.Orders.SendAsync(request);
            Assert.That($"{answer.Content.Headers.ContentType}", Is.EqualTo(Path.GetExtension(file) switch
            {
                ".css" => "text/css; charset=utf-8",
                ".js" => "text/javascript; charset=utf-8",
                _ => "image/svg+xml",
            }), file);
            Stream bytes = await answer.Content.ReadAsStreamAsync();
            bool isCompressed = answer.Content.Headers.ContentEncoding.Count > 0;
            Assert.That(isCompressed, Is.EqualTo(encoding == "br"));
            using var reader = new StreamReader(
                isCompressed ? new BrotliStream(bytes, CompressionMode.Decompress) : bytes);
            return await reader.ReadToEndAsync();
        }
    }

    private async Task<string> AssetAsync(string html, string name)
    {
        string start = $"/assets/{Path.GetFileNameWithoutExtension(name)}.";
        string path = Regex.Match(html, $"""{Regex.Escape(start)}[^"#]*{Path.GetExtension(name)}""",
            RegexOptions.None, Second).Value;
        return await _shop.Products.GetStringAsync(path);
    }

    private static string Drawing(string svg) => Regex.Match(svg, "#(?<drawing>[a-z-]+)\"",
        RegexOptions.ExplicitCapture, Second).Groups["drawing"].Value;

    private static string Palette(string svg) => Regex.Match(svg, "palette-(?<palette>[0-9]+)\"",
        RegexOptions.ExplicitCapture, Second).Groups["palette"].Value;

    // The names on the cards of a page.
    private static string[] Names(string html) => [.. Regex.Matches(html, "<h2><a [^>]*>(?<name>[^<]*)<",
        RegexOptions.ExplicitCapture, Second).Select(card => card.Groups["name"].Value)];

    private static string[] Values(string html, string attributes) =>
        [.. Regex.Matches(html, $" ({attributes})=\"(?<value>[^\"]*)\"", RegexOptions.ExplicitCapture, Second)
            .Select(attribute => WebUtility.HtmlDecode(attribute.Groups["value"].Value)).Where(value => value != "")];

    private static string[] Links(string html) =>
        [.. html.Split("</a>").Select(part => part[Math.Max(0, part.LastIndexOf("<a ", StringComparison.Ordinal))..])];

    private static string Href(string link) => Values(link, "href")[0];

    private static string Field(string html, string name) => WebUtility.HtmlDecode(Regex.Match(html,
        $"name=\"{name}\"[^>]* value=\"(?<value>[^\"]*)\"", RegexOptions.ExplicitCapture, Second)
        .Groups["value"].Value);

    private static (string Value, string Title)[] Options(string html, string select) =>
        [.. Regex.Matches(SelectOf(html, select), "<option value=\"(?<value>[^\"]*)\"[^>]*>(?<title>[^<]*)<",
            RegexOptions.ExplicitCapture, Second)
            .Select(option => (option.Groups["value"].Value, option.Groups["title"].Value))];

    private static string Selected(string html, string select) => Regex.Match(SelectOf(html, select),
        "<option value=\"(?<value>[^\"]*)\" selected", RegexOptions.ExplicitCapture, Second).Groups["value"].Value;

    private static string SelectOf(string html, string name) =>
        Regex.Match(html, $"<select name=\"{name}\">.*?</select>", RegexOptions.Singleline, Second).Value;
}
